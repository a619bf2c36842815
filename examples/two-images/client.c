#include <stdio.h>

#include "protocol.h"

int main(void)
{
    puts("client: " GREETING);
    return 0;
}
