# mail: plain list
# nothing at all
