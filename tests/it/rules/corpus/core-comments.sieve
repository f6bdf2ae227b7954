# mail: plain list
# a hash comment
/* a block
   comment */ keep /* inside */ ;
if /**/ true # end
{ discard; }
