"""The relay and the sweeper: what is committed gets announced, and what nobody holds gets found."""
