# mail: plain list
require ["variables"];
set "a" "X";
if string :is "${a}" ["y", "x"] { discard; }
