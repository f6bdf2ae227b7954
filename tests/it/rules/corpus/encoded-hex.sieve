# mail: plain list
require ["encoded-character", "reject"];
reject "${hex:41 42}${hex:43}";
