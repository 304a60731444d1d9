"""What two scripts share, or what is science on its own. Flat, and without circles."""
