// All of isolith's public interface.
#pragma once

#include "isolith/database.h"
#include "isolith/isolation.h"
#include "isolith/key_encoding.h"
#include "isolith/observer.h"
#include "isolith/options.h"
#include "isolith/status.h"
#include "isolith/transaction.h"
#include "isolith/version.h"
#include "isolith/wait_hook.h"
