# mail: plain list
require ["variables", "reject"];
set :lower :upper "a" "abc";
reject "${a}";
