# mail: plain list
if true { keep;
