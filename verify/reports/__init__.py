"""A report in files: for build servers, for people with a browser, and as scripts."""
