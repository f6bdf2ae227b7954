# mail: plain list
require "reject";
reject "${hex:41}";
