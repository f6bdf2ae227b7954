# mail: plain list
require ["encoded-character", "reject"];
reject "${hex:}${hex:4g}${unicode:}${hex:41}";
