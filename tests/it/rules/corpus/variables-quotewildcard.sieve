# mail: plain list
require ["variables", "reject"];
set :quotewildcard "a" "a*b?c\\d";
reject "${a}";
