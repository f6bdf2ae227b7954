# mail: plain list
require "reject";
reject "one";
reject "two";
