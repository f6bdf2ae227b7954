# mail: plain list
require ["enotify", "variables", "reject"];
set :encodeurl "a" "a b/c";
reject "${a}";
