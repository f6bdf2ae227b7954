# mail: plain list
require ["variables", "reject"];
set :length "a" "twelve chars";
set :length "b" "äöü";
reject "${a} ${b}";
