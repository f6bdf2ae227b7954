# mail: plain list
require ["variables", "reject"];
set :length :upper "a" "abc";
reject "${a}";
