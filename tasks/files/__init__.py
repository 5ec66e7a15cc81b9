"""The file storage of the API: the bytes of uploaded files, under names that it makes."""
