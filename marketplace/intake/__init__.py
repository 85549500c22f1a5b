"""A city's spreadsheets in: a good row goes in whole, a bad one is reported, the same file twice changes nothing."""
