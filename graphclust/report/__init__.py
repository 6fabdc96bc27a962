"""What people look at: text, the HTML page, drawings and figures."""
