# mail: plain list
redirect :copy "a@example.com";
