namespace pairmint {}
