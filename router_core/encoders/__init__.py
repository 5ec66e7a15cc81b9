"""How texts become vectors: a module for each kind of model, behind one interface."""
