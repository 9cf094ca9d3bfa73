"""Labels for shelves, lots and cartons, in the language of label printers."""
