// Names and roles that the shipped components leave out, for screen readers.
// Components live in nested shadow roots, so every root is watched from its birth.
(() => {
  const words = JSON.parse(document.currentScript.dataset.words);

  const grid = (table) => {
    // A grid may own rows only: the scrolled part and the pager become groups of rows.
    table.removeAttribute('aria-owns');
    const roles = {
      '.tabulator-tableholder': 'rowgroup',
      '.tabulator-tableholder > .tabulator-table': 'presentation',
      '.tabulator-footer': 'rowgroup',
      '.tabulator-footer-contents': 'row',
      '.tabulator-paginator': 'gridcell',
    };
    for (const [part, role] of Object.entries(roles))
      for (const found of table.querySelectorAll(part))
        if (found.getAttribute('role') !== role) found.setAttribute('role', role);
    if (!table.hasAttribute('aria-label')) table.setAttribute('aria-label', words.table);
  };

  const mend = (root) => {
    for (const bar of root.querySelectorAll('[role=progressbar]:not([aria-label])'))
      bar.setAttribute('aria-label', words.progress);
    root.querySelectorAll('.tabulator[role=grid]').forEach(grid);
  };

  const watch = (root) => {
    mend(root);
    new MutationObserver(() => mend(root)).observe(root, { childList: true, subtree: true });
  };

  const born = Element.prototype.attachShadow;
  Element.prototype.attachShadow = function attachShadow(options) {
    const root = born.call(this, options);
    watch(root);
    return root;
  };
  watch(document.documentElement);
})();
