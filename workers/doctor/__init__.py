"""`waybill doctor`: checks of an installation, its settings and the services that they name."""
