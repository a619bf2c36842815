#include <stdio.h>

#include "protocol.h"

int main(void)
{
    puts("server: " GREETING);
    return 0;
}
