# mail: plain list
require ["variables", "reject"];
set "a" "007";
set "b" "1.50";
reject "${a} ${b}";
