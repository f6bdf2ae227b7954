# mail: plain list
require "reject";
discard;
reject "one";
