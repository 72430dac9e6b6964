#include "message/greeting.h"

const char *greeting_for(bool is_valid, bool is_admin)
{
    if (!is_valid)
        return "Access denied. Invalid user.";
    return is_admin ? "Welcome, Admin! You have full access."
                    : "Welcome, Authenticated user! Limited access.";
}
