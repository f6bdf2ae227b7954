# mail: plain list auto spam
require "vacation";
vacation "I am away";
