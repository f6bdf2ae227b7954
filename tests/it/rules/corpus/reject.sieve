# mail: plain list
require "reject";
reject "Go away";
