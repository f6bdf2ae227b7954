# mail: plain list
redirect "a@example.com";
redirect "a@example.com";
