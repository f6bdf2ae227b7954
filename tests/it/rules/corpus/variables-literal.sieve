# mail: plain list
require ["variables", "reject"];
reject "${}$ {a} ${a-b} $${a} \\${a}";
