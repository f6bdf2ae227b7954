# mail: plain list
require ["variables", "reject"];
set "a" "x";
set "a" "${a}y${a}";
reject "${a}";
