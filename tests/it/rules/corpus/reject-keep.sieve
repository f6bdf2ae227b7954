# mail: plain list
require "reject";
keep;
reject "both";
