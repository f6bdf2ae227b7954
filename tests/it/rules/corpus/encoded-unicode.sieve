# mail: plain list
require ["encoded-character", "reject"];
reject "${unicode:41}${unicode:20ac 20AC}";
