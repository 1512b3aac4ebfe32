"""Labels where they pay: unlabelled faces chosen for annotation, a page to label them, agreement of two annotators."""
