# Configures, builds and runs the program in SOURCE as its owner would.   cmake -DSOURCE=… -DBINARY=… -DOPTIONS=… -P consumer.cmake
separate_arguments(options UNIX_COMMAND "${OPTIONS}")
execute_process(COMMAND ${CMAKE_COMMAND} -S ${SOURCE} -B ${BINARY} -G Ninja ${options} COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_COMMAND} --build ${BINARY} --target consumer COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${BINARY}/consumer COMMAND_ERROR_IS_FATAL ANY)
