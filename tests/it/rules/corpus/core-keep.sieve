# mail: plain list
keep;
