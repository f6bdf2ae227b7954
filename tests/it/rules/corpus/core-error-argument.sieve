# mail: plain list
keep "x";
