# mail: plain list
require ["variables", "reject"];
set :lowerfirst :upper "a" "mixed Case";
reject "${a}";
