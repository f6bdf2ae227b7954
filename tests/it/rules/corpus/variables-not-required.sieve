# mail: plain list
require "reject";
reject "${a} ${1}";
