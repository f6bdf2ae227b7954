# mail: plain list
redirect "\"A B\" <a@example.com>";
