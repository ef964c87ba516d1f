"""Files of association statistics that other tools read."""
