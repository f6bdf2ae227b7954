# mail: plain list
require ["variables", "reject"];
set :upper "a" "mixed Case";
reject "${a}";
