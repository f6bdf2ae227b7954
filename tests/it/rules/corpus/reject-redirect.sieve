# mail: plain list
require ["reject", "copy"];
redirect :copy "a@example.com";
reject "one";
