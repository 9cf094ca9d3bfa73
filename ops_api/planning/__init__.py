"""Planning: the view from SQL, releases, the nightly planner, proposals, routes, facts."""
