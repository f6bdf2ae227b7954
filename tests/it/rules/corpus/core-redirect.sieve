# mail: plain list
redirect "a@example.com";
