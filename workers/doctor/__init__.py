"""`waybill doctor`: checks of the settings and of the services that they name."""
