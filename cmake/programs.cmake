# Test programs and fuzz harnesses say in their leading comment lines what they need:
#
#   // links: core/schema.c core/buffer.c    sources, from the root of the repository
#   // libs: cjson m                         of: h2o-evloop lmdb jwt crypt curl cjson ssl crypto pthread m
#   // defines: SOURCE_ROOT                  what to define; SOURCE_ROOT is the path of the repository
#   // tsan                                  run under ThreadSanitizer too
#
# so that a new one needs no line in the build. Sources of the product are compiled once, with their folder.

# Reads one such line of `source` into `result`, a list; empty if there is none.
function(read_need source key result)
    file(STRINGS "${source}" lines LIMIT_COUNT 40 REGEX "^// ${key}:")
    set(values)
    foreach(line IN LISTS lines)
        string(REGEX REPLACE "^// ${key}:" "" line "${line}")
        separate_arguments(words UNIX_COMMAND "${line}")
        list(APPEND values ${words})
    endforeach()
    set(${result} "${values}" PARENT_SCOPE)
endfunction()

# Makes the executable `target` from `source`. What its comment names wrongly is returned in `fault`, one sentence.
function(add_program target source fault)
    set(problem "")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${source}")
    read_need("${source}" links links)
    read_need("${source}" libs libs)
    read_need("${source}" defines defines)

    set(sources "${source}")
    set(objects)
    foreach(link IN LISTS links)
        string(REGEX MATCH "^[^/]+" folder "${link}")
        if(NOT EXISTS "${PROJECT_SOURCE_DIR}/${link}")
            string(APPEND problem "its links line names ${link}, which does not exist. ")
        elseif(folder IN_LIST built_folders)
            list(APPEND objects "${PROJECT_BINARY_DIR}/CMakeFiles/${folder}.dir/${link}.o")
        else()
            list(APPEND sources "${PROJECT_SOURCE_DIR}/${link}")
        endif()
    endforeach()

    set(needed)
    foreach(lib IN LISTS libs)
        if(lib STREQUAL "pthread")
            list(APPEND needed Threads::Threads)
        elseif(lib STREQUAL "m")
            list(APPEND needed m)
        elseif(TARGET PkgConfig::${lib})
            list(APPEND needed PkgConfig::${lib})
        else()
            string(APPEND problem "its libs line names ${lib}, which is none of the product's libraries. ")
        endif()
    endforeach()

    set(${fault} "${problem}" PARENT_SCOPE)
    if(problem)
        return()
    endif()
    add_executable(${target} ${sources})
    # Which mathematics is inlined differs between compilers: m is linked always.
    # Objects by path, not by TARGET_OBJECTS: a program then waits for, and fails with, only what it names.
    target_link_libraries(${target} PRIVATE build_rules ${objects} ${needed} m)
    # Headers of every library may be included by a test; only the ones it names are linked.
    target_include_directories(${target} SYSTEM PRIVATE $<TARGET_PROPERTY:libraries,INTERFACE_INCLUDE_DIRECTORIES>
        ${cjson_INCLUDE_DIRS} ${curl_INCLUDE_DIRS})
    target_compile_definitions(${target} PRIVATE TOKEN_RELAY_VERSION="${PROJECT_VERSION}")
    foreach(define IN LISTS defines)
        if(define STREQUAL "SOURCE_ROOT")
            target_compile_definitions(${target} PRIVATE SOURCE_ROOT="${PROJECT_SOURCE_DIR}")
        else()
            target_compile_definitions(${target} PRIVATE ${define})
        endif()
    endforeach()
endfunction()
