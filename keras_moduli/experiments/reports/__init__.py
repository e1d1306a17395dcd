"""What runs found: tables, comparisons, reports and pictures."""
