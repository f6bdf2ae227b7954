# mail: plain list
keep
